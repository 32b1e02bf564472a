"""Draws the receptive field of a decoder, found from gradients.

`python -m vlae_tf.receptive_field --workdir=W --out=FILE.png`, or `--decoder=`
and its sizes in place of a trained model. In Python it is a function of a
network, `vlae_tf.receptive_field`.
"""

from vlae_tf.utils import launcher  # isort: skip (first: it handles Ctrl-C)

if __name__ == '__main__':
  launcher.receptive_field()

from absl import flags

from vlae_tf.evaluation import figures, receptive_field
from vlae_tf.models import config as config_lib
from vlae_tf.models import decoders
from vlae_tf.runs import loading
from vlae_tf.utils import command_line, console, files

FLAGS = flags.FLAGS

# Fields of a config that define a decoder's network.
_SIZES = (
  'decoder_units',
  'decoder_depth',
  'decoder_tied',
  'vertical_filter',
  'horizontal_filter',
  'window',
  'downsampling',
)


def define_flags():
  command_line.define_workdir(required=False)
  command_line.define('checkpoint', 'quiet')
  config_lib.define_flags(('decoder', *_SIZES))
  flags.DEFINE_string('out', None, 'PNG file to write.', required=True)


def main():
  """Finds what the decoder sees, and writes a picture of it."""
  files.check_new_file(FLAGS.out, True, '.png')
  sizes = command_line.given('decoder', *_SIZES)
  if FLAGS.workdir is not None:
    if sizes:
      raise ValueError(
        f'{sizes[0]} must not be given with --workdir: the run has its own.'
      )
    command_line.check_workdir(FLAGS.workdir)
    run = loading.restore(FLAGS.workdir, FLAGS.checkpoint)
    name, network = run.label, run.model.likelihood.network
  elif not command_line.given('decoder'):
    raise ValueError('`workdir` or `decoder` must be given.')
  elif command_line.given('checkpoint'):
    raise ValueError('`checkpoint` must not be given without --workdir.')
  else:
    name, network = FLAGS.decoder, _network()
  with console.Meter(receptive_field.num_images(network), 'image') as meter:
    field = receptive_field.find(network, progress=meter.advance)
  text = f'{name}: {receptive_field.describe(field)}'
  figures.save_png(FLAGS.out, receptive_field.draw(field), text)
  print(f'{text}; wrote {FLAGS.out}')


def _network():
  """The network of --decoder; checks that it uses each flag."""
  config = _Watched(config_lib.from_flags(FLAGS))
  network = decoders.NETWORKS[config.decoder](config, 1)
  for flag in command_line.given(*_SIZES):
    # `window` is read as `window_size`.
    if not any(name.startswith(flag[2:]) for name in config.read):
      raise ValueError(f'{flag} does not apply to --decoder={config.decoder}.')
  network.build((None, None, None, 1), (None, None, None, 1))
  return network


class _Watched:
  """A config that records which fields are read."""

  def __init__(self, config):
    self._config, self.read = config, set()

  def __getattr__(self, name):
    self.read.add(name)
    return getattr(self._config, name)
