"""Registries of named components."""

import difflib
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeVar

_Maker = TypeVar('_Maker', bound=Callable[..., Any])


def suggestion(wrong: str, right: Iterable[str]) -> str:
  """The end of an error message: ' Did you mean ...?', or nothing."""
  near = difflib.get_close_matches(wrong, list(right), 1)
  return f' Did you mean {near[0]!r}?' if near else ''


class Registry(dict[str, Callable[..., Any]]):
  """A dictionary from names to makers of components of one kind.

  Flags, their help, the builder, tests and the guide's tables are made from it.

  >>> PRIORS = Registry('prior')
  >>> @PRIORS.register('gaussian', 'a standard normal')
  ... def _gaussian(config):
  ...   return 'made of ' + config
  >>> PRIORS['gaussian']('it')
  'made of it'
  >>> list(PRIORS), PRIORS.description('gaussian')
  (['gaussian'], 'a standard normal')
  """

  def __init__(self, kind: str):
    """`kind` is the name of the flag or argument that takes the names."""
    super().__init__()
    self.kind = kind
    self._descriptions: dict[str, str] = {}

  def register(self, name: str, description: str) -> Callable[[_Maker], _Maker]:
    """Decorator that registers a class or function, with words for help."""
    if name in self:
      raise ValueError(f'`{self.kind}` {name!r} is registered already.')

    def enter(maker: _Maker) -> _Maker:
      self[name] = maker
      self._descriptions[name] = description
      return maker

    return enter

  def description(self, name: str) -> str:
    self.check(name)
    return self._descriptions[name]

  def help(self) -> str:
    """All names with their descriptions, for the help of a flag."""
    return '; '.join(f'{name}: {self._descriptions[name]}' for name in self)

  def check(self, name: Any, argument: str = '') -> None:
    if name not in self:
      self.__missing__(name, argument)

  def __missing__(self, name: Any, argument: str = '') -> NoReturn:
    raise ValueError(
      f'`{argument or self.kind}` must be one of {", ".join(self)}, got '
      f'{name!r}.{suggestion(str(name), self)}'
    )
