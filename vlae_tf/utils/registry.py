"""Names of components, each typed once: where it is registered."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

_Maker = TypeVar('_Maker', bound=Callable[..., Any])


def suggestion(wrong: str, right: Iterable[str]) -> str:
  """A sentence for the end of a message: what someone may have meant.

  Args:
    wrong: What was given.
    right: What could have been.

  Returns:
    A string that begins with a space, empty if nothing is near.
  """
  near = difflib.get_close_matches(wrong, list(right), 1)
  return f' Did you mean {near[0]!r}?' if near else ''


class Registry(Mapping[str, Callable[..., Any]]):
  """A dictionary from names to what makes a component of one kind.

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
    """Creates an empty registry.

    Args:
      kind: What is registered, the name of its flag and argument.
    """
    self.kind = kind
    self._makers: dict[str, Callable[..., Any]] = {}
    self._descriptions: dict[str, str] = {}

  def register(self, name: str, description: str) -> Callable[[_Maker], _Maker]:
    """A decorator that enters a class or function under a name.

    Args:
      name: What users type.
      description: A few words for help texts and tables.

    Returns:
      The decorator; it returns what it is given.

    Raises:
      ValueError: The name is taken.
    """
    if name in self._makers:
      raise ValueError(f'`{self.kind}` {name!r} is registered already.')

    def enter(maker: _Maker) -> _Maker:
      self._makers[name] = maker
      self._descriptions[name] = description
      return maker

    return enter

  def description(self, name: str) -> str:
    """The few words a name was registered with."""
    self.check(name)
    return self._descriptions[name]

  def help(self) -> str:
    """All names with their descriptions, for the help of a flag."""
    return '; '.join(f'{name}: {self._descriptions[name]}' for name in self)

  def check(self, name: Any, argument: str = '') -> None:
    """Checks that a name is registered.

    Args:
      name: What a user gave.
      argument: What it was given as, `kind` by default.

    Raises:
      ValueError: It is not; the message suggests the nearest.
    """
    if name in self._makers:
      return
    raise ValueError(
      f'`{argument or self.kind}` must be one of {", ".join(self)}, got '
      f'{name!r}.{suggestion(str(name), self._makers)}'
    )

  def __getitem__(self, name: str) -> Callable[..., Any]:
    self.check(name)
    return self._makers[name]

  def __contains__(self, name: object) -> bool:
    return name in self._makers

  def __iter__(self) -> Iterator[str]:
    return iter(self._makers)

  def __len__(self) -> int:
    return len(self._makers)
