"""A command that waits for Ctrl-C, and makes another error of it."""

import time


def define_flags():
  pass


def main():
  print('waiting', flush=True)
  try:
    time.sleep(60)
  except KeyboardInterrupt as error:
    # As libraries do in whose callbacks it comes.
    raise RuntimeError('something else') from error
