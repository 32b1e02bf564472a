"""How work is divided among cores."""

import pytest

from vlae_tf.training import gradients, strategies


@pytest.mark.parametrize(
  'batch_size, cores, parts',
  [(100, 1, 1), (100, 2, 2), (100, 3, 2), (100, 64, 4), (9, 2, 1), (7, 8, 1)],
)
def test_parts_are_equal_and_no_more_than_cores(batch_size, cores, parts):
  assert strategies.parts_of(batch_size, cores) == parts


def test_groups_hold_everything_once_and_weigh_about_the_same():
  sizes = [410, 7, 300, 41, 409, 64, 2, 30]
  groups = gradients.balanced(sizes, 2)
  assert sorted([*groups[0], *groups[1]]) == list(range(len(sizes)))
  heavy, light = (sum(sizes[k] for k in group) for group in groups)
  assert abs(heavy - light) <= max(sizes)


def test_no_group_is_empty():
  assert gradients.balanced([3, 2], 4) == [[0], [1]]
