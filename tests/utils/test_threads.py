"""Work in threads keeps its order, and holds few results."""

from vlae_tf.utils import threads


def test_results_come_in_order_and_few_at_a_time():
  asked = []

  def items():
    for k in range(10):
      asked.append(k)
      yield k

  found = []
  for result in threads.in_order(lambda k: k * k, items(), 3):
    assert len(asked) <= len(found) + 3
    found.append(result)
  assert found == [k * k for k in range(10)]


def test_no_call_of_progress_is_lost():
  total = [0]

  def progress(num):
    before = total[0]
    total[0] = before + num

  counted = threads.locked(progress)
  list(threads.in_order(lambda _: counted(1), range(1000), 8))
  assert total == [1000] and threads.locked(None) is None
