"""What a decoder sees of the image: finds it by probing gradients, draws it.

`python -m vlae_tf.receptive_field --workdir=W --out=FILE.png`, or `--decoder=`
and its sizes in place of a trained model. In Python it is a function of a
network, `vlae_tf.receptive_field`.
"""

from vlae_tf.system import command_line  # isort: skip (first: it quiets TensorFlow)

from absl import flags

from vlae_tf import config_flags
from vlae_tf.analysis import field_probe, pictures
from vlae_tf.components import decoders
from vlae_tf.runs import workdirs

FLAGS = flags.FLAGS


def _network():
  if FLAGS.workdir is not None:
    return workdirs.restore(FLAGS.workdir).model.likelihood.network
  config = config_flags.parsed(FLAGS)
  network = decoders.NETWORKS[config.decoder](config, 1)
  network.build((None, None, None, 1), (None, None, None, 1))
  return network


def main():
  pictures.check_png_path(FLAGS.out)
  field = field_probe.find(_network())
  pictures.save_png(FLAGS.out, field_probe.draw(field), scale=1)
  print(f'{field_probe.describe(field)}; wrote {FLAGS.out}')


if __name__ == '__main__':
  flags.DEFINE_string('workdir', None, 'Directory of a trained run.')
  flags.DEFINE_string('out', None, 'PNG file to write.', required=True)
  config_flags.define()
  command_line.run(main)
