"""A command in a call that Python's signal handlers have to wait for."""

import hashlib


def define_flags():
  pass


def main():
  print('waiting', flush=True)
  hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)
