"""What is said of validation images while a model trains."""

from vlae_tf import data as data_lib
from vlae_tf.evaluation import latents, likelihood
from vlae_tf.models import config as config_lib
from vlae_tf.models import vlae as model_lib

SCALARS = ('val_elbo', 'val_rate', 'val_distortion', 'val_active_units')


def name_of(config: config_lib.Config) -> str:
  """What the curve is called: 'validation', if it is one."""
  return f'validation{"_trained_on" if config.trains_on_validation else ""}'


class Validator:
  """The bound on the validation images, one code each, and the code's use."""

  def __init__(self, model: model_lib.VLAE, data: data_lib.ImageData):
    self._data = data
    self._evaluator = likelihood.Evaluator(model)
    self._probe = latents.CodeProbe(model)
    self.code: latents.CodeUse | None = None  # Of the last validation.

  def __call__(self) -> dict[str, float]:
    """Looks at all validation images."""
    images, kind = self._data.validation, self._data.kind
    estimates = self._evaluator(images, 'validation', kind=kind)
    self.code = self._probe(images, kind=kind)
    result = estimates.summary(self._data.image_shape)
    result['active_units'] = float(self.code.active_units)
    return {name: result[name.removeprefix('val_')] for name in SCALARS}
