"""Records what everything computes: `python tests/update_goldens.py`."""

from conformance import goldens

if __name__ == '__main__':
  goldens.PATH.write_text(goldens.updated(), encoding='utf-8')
  print(f'wrote {goldens.PATH}')
