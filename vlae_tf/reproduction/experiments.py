"""The runs behind the paper's tables and figures."""

import dataclasses

from vlae_tf.models import config as config_lib


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A run of `train`."""

  name: str  # What it is called, and its directory of the run.
  preset: str  # The preset it is of.
  flags: tuple[str, ...] = ()  # Further flags of `train`; they win.
  # Steps at which it is stopped, to go on in another process.
  stops: tuple[int, ...] = ()
  # What its weights start from, a run that is finished before.
  after: 'Experiment | None' = None

  @property
  def config(self) -> config_lib.Config:
    """The experiment as its `config.json` has it."""
    return config_lib.from_args([f'--preset={self.preset}', *self.flags])


OF_THE_PAPER = (
  # The VLAEs of MNIST go on in a second run: other batches, a fresh optimiser.
  Experiment(
    'static_mnist',
    'static_mnist',
    (
      '--seed=1',
      '--max_epochs=40',
      '--learning_rate_hold=0.4',
      '--learning_rate_warmup_steps=300',
      # Four times as long an average: the first run began to overfit.
      '--polyak_decay=0.9995',
    ),
    after=Experiment('static_mnist_60', 'static_mnist', ('--max_epochs=60',)),
  ),
  Experiment(
    'dynamic_mnist',
    'dynamic_mnist',
    (
      '--seed=1',
      '--max_epochs=65',
      '--learning_rate_hold=0.4',
      '--learning_rate_warmup_steps=300',
    ),
    after=Experiment('dynamic_mnist_60', 'dynamic_mnist', ('--max_epochs=60',)),
  ),
  Experiment('omniglot', 'omniglot', ('--max_epochs=130',)),
  Experiment('caltech101', 'caltech101'),
  # Rows that are compared have equal budgets: the presets' 30 epochs.
  Experiment('static_mnist_30', 'static_mnist'),
  Experiment('dynamic_mnist_30', 'dynamic_mnist'),
  *(
    Experiment(name, name)
    for name in (
      'dynamic_mnist_gaussian_prior',
      'dynamic_mnist_unconditional',
      'dynamic_mnist_iaf_posterior',
      'static_mnist_factorised',
      'static_mnist_af_vae',
      'omniglot_unconditional',
      'caltech101_unconditional',
    )
  ),
)

_TINY = (
  '--encoder_widths=4',
  '--encoder_units=8',
  '--latent_size=4',
  '--flow_steps=2',
  '--flow_units=8',
  '--decoder_units=4',
  '--decoder_depth=2',
  '--batch_size=50',
  '--max_epochs=1',
  '--xla=none',
)


def _tiny(name, *flags, stops=(), after=None):
  return Experiment(
    f'smoke_{name}', 'quickstart', (*_TINY, *flags), stops, after
  )


# One of each kind, by the name of its row.
SMOKE = {
  'VLAE': _tiny('vlae', stops=(10,)),
  'Gaussian prior': _tiny(
    'gaussian_prior',
    '--prior=gaussian',
    after=_tiny('start', '--prior=gaussian', '--max_epochs=0.5'),
  ),
  'IAF posterior, Gaussian prior': _tiny(
    'iaf_posterior', '--posterior=iaf', '--prior=gaussian'
  ),
  'unconditional decoder': _tiny('unconditional', '--latent_size=0'),
  'factorised decoder': _tiny(
    'factorised', '--decoder=factorised', '--prior=gaussian'
  ),
  'AF VAE': _tiny('af_vae', '--decoder=factorised'),
}
