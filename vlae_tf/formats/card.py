"""The card of a shared model, `README.md`: all of it from its description.

Its header, which model hubs read, is YAML with values as JSON.
"""

import json
from collections.abc import Mapping
from typing import Any

from vlae_tf.formats import description as description_lib

NOT_MEASURED = 'not measured'
_PAPER = 'https://arxiv.org/abs/1611.02731'
# What a score of these images does not mean.
_LIMITS_OF_DATA = {
  'omniglot': 'OMNIGLOT 28x28 comes in the split of Burda et al.; a file that '
  'was reconstructed from the 105x105 drawings has its drawers, and other '
  'pixels. The SHA-256 above tells which one this is.',
  'digits': "scikit-learn's digits are 8x8, enlarged to 28x28: easy images, "
  'and scores of them compare with nothing published.',
  'dynamic_mnist': 'Scores of MNIST depend on how it is binarised: compare '
  'with dynamic binarisation, its test images binarised once.',
  'static_mnist': 'Scores of MNIST depend on how it is binarised: compare '
  "with Larochelle's fixed binarisation.",
  'caltech101': 'Caltech-101 silhouettes are few, and models overfit them.',
}


def text(name: str, described: description_lib.Description) -> str:
  """The card."""
  sections = {
    'The model': _model(described),
    'Data and protocol': _protocol(described.about),
    'Results': results(described.about),
    'Intended use': _USE,
    'Limits': _limits(described),
    'How to load it': _loading(name, described),
    'How to cite it': _CITATION,
  }
  body = '\n'.join(f'## {k}\n\n{v.strip()}\n' for k, v in sections.items())
  title = f'# {name}\n\n{_INTRODUCTION}\n'
  return f'---\n{_header(name, described)}\n---\n\n{title}\n{body}'


def expected(about: Mapping[str, Any]) -> str:
  """The first score in words: '242.1 +- 1.3 nats (300 images, 128 codes)'."""
  scores = about.get('scores') or []
  if not scores:
    return NOT_MEASURED
  first = scores[0]
  return (
    f'{_with_error(first, "nll", 2)} nats ({first["num_images"]:,} '
    f'{first.get("split", "test")} images, {first["num_samples"]:,} codes each)'
  )


def results(about: Mapping[str, Any]) -> str:
  """A table of the scores, a row each."""
  scores = about.get('scores') or []
  if not scores:
    return f'{NOT_MEASURED.capitalize()}: score it before you rely on it.'
  head = (
    '| images | codes each | NLL | -ELBO | their gap | rate | bits/dim |\n'
    '|---|---|---|---|---|---|---|\n'
  )
  return (
    head + '\n'.join(map(_row, scores)) + '\n\nIn nats an image where no '
    'other unit is named; `+-` is a standard error over images. NLL is '
    'estimated by importance sampling, an upper bound in expectation that more '
    'codes tighten; the rate is the KL divergence of the posterior from the '
    'prior, estimated from the same codes. Grey test images are binarised '
    'once and for all.'
  )


def _row(score):
  negated = score | {'elbo': -score['elbo']} if 'elbo' in score else score
  cells = [
    f'{score["num_images"]:,} of {score.get("split", "test")}',
    f'{score["num_samples"]:,}',
    _with_error(score, 'nll', 2),
    _with_error(negated, 'elbo', 2),
    _with_error(score, 'gap', 3),
    f'{_with_error(score, "rate", 2)} = {_number(score, "rate_bits", 2)} bits',
    _number(score, 'bits_per_dim', 4),
  ]
  return f'| {" | ".join(cells)} |'


def _number(score, key, digits):
  value = score.get(key)
  return NOT_MEASURED if value is None else f'{value:.{digits}f}'


def _with_error(score, key, digits):
  error = score.get(f'{key}_stderr')
  spread = '' if error is None else f' +- {error:.{digits}f}'
  return f'{_number(score, key, digits)}{spread}'


def _model(described):
  shape = 'x'.join(map(str, described.image_shape))
  code = 'x'.join(map(str, described.code_shape)) or 'none'
  config = described.config
  lines = [
    f'- images: {shape} (height, width, channels)',
    f'- code: {code} numbers',
    f'- weights: {described.num_weights:,}, in {described.weights_dtype}',
    f'- written by vlae_tf {described.vlae_tf_version}',
  ]
  if config is None:
    return '\n'.join([*lines, '- made of parts of its own'])
  lines += [
    f'- {field}: `{config.get(field)}`, {words}'
    for field, words in described.parts.items()
  ]
  if config.get('decoder') in ('window', 'downsampled_window'):
    lines.append(f'- window: `{config.get("window")}`, width x height')
  return '\n'.join([*lines, '', 'All fields are in `config.json`.'])


def _protocol(about):
  names = {
    'dataset': 'data set',
    'dataset_words': 'which is',
    'train_on': 'trained on the split',
    'num_train': 'images trained on',
    'data_sha256': 'SHA-256 of the images trained on',
    'steps': 'steps',
    'planned_epochs': 'epochs planned',
    'batch_size': 'images a step',
    'minutes': 'minutes of training',
    'checkpoint': 'checkpoint',
  }
  lines = [
    f'- {words}: {_plain(about[key])}'
    for key, words in names.items()
    if about.get(key) is not None
  ]
  start = about.get('started_from')
  if start:
    lines.append(f'- started from: {_started_from(start)}')
  environment = about.get('environment') or {}
  if environment:
    versions = ', '.join(f'{k} {_plain(v)}' for k, v in environment.items())
    lines.append(f'- computed with: {versions}')
  return '\n'.join(lines) or 'Not said by whoever shared it.'


def _started_from(start):
  """The trained model that it started from, and what that started from."""
  about = start['about']
  told = [
    f'{_plain(about[key])} {words}'
    for key, words in (('steps', 'steps'), ('minutes', 'minutes'))
    if about.get(key) is not None
  ]
  before = about.get('started_from')
  told += [f'started from {_started_from(before)}'] if before else []
  told.append(f'weights of SHA-256 {start["sha256"]}')
  return f'{start["name"]} ({", ".join(told)})'


def _plain(value):
  if isinstance(value, bool) or not isinstance(value, int | float):
    return f'{value}' if value or value is False else 'none'
  return f'{value:,}' if isinstance(value, int) else f'{value:,.1f}'


def _limits(described):
  about = described.about
  own = _LIMITS_OF_DATA.get(about.get('dataset'))
  sees = described.parts.get('decoder')
  lines = [
    'Of images that are not of the kind it was trained on, its likelihoods '
    'mean little, and a high one does not say that an image is of that kind.',
    'The code is lossy by design: what the decoder can model from the pixels '
    'around, such as texture and the course of strokes, is drawn anew at '
    'decoding. It must not be read as what was there.',
    *(
      [f'Of the image, a pixel sees: {sees} (at default sizes).']
      if sees
      else []
    ),
    *([own] if own else []),
  ]
  if about.get('train_on') == 'train+validation':
    lines.append('Validation images were trained on: they test nothing here.')
  return '\n'.join(f'- {line}' for line in lines)


def _loading(name, described):
  build = ', build=build' if described.config is None else ''
  shape = ', '.join(map(str, described.image_shape))
  keras = ''
  if description_lib.KERAS in described.files:
    keras = (
      f'\n`{description_lib.KERAS}` is for `load_weights` of a model built '
      'alike, always at full precision.\n'
    )
  return f"""\
```python
import vlae_tf

model = vlae_tf.from_pretrained('path/to/{name}'{build})
images = model.likelihood(model.prior().sample(4, seed=0)).sample(seed=1)
# [4, {shape}]
```

Loading checks the sums of the files and runs no code from the folder.
{keras}"""


def _header(name, described):
  """The header, without the lines around it."""
  about = described.about
  dataset = about.get('dataset')
  fields: dict[str, Any] = {
    'license': 'apache-2.0',
    'library_name': 'vlae_tf',
    'pipeline_tag': 'unconditional-image-generation',
    'tags': [
      'vlae_tf',
      'variational-autoencoder',
      'variational-lossy-autoencoder',
      'density-estimation',
      'tensorflow',
      'keras',
    ],
  }
  if dataset and '/' not in dataset:  # Of own images, hubs know nothing.
    fields['datasets'] = [dataset]
  if about.get('scores'):
    fields['model-index'] = [{'name': name, 'results': _index(about)}]
  return '\n'.join(f'{k}: {json.dumps(v)}' for k, v in fields.items())


def _index(about):
  """The scores as model hubs have them."""
  task = {
    'type': 'unconditional-image-generation',
    'name': 'density estimation',
  }
  dataset = about.get('dataset') or 'unknown'
  return [
    {
      'task': task,
      'dataset': {
        'type': dataset,
        'name': dataset,
        'split': score.get('split', 'test'),
      },
      'metrics': [
        {
          'type': key,
          'name': f'{words}, {score["num_images"]} images, '
          f'{score["num_samples"]} codes each',
          'value': score[key],
        }
        for key, words in (
          ('nll', 'negative log-likelihood in nats an image'),
          ('bits_per_dim', 'negative log-likelihood in bits a dimension'),
        )
        if score.get(key) is not None
      ],
    }
    for score in about.get('scores') or []
  ]


_INTRODUCTION = f"""\
A Variational Lossy Autoencoder ([Chen et al., 2017]({_PAPER})): a prior over
codes, an autoregressive decoder from a code to an image, and a posterior over
the codes of an image, trained together by maximising a bound on the likelihood
of images."""
_USE = """\
Research and teaching: likelihoods and samples of such images, codes that keep
what is global in them, lossy and lossless coding. It is no product, and decides
nothing about people."""
_CITATION = f"""\
The paper:

```
@inproceedings{{chen2017variational,
  title={{Variational Lossy Autoencoder}},
  author={{Chen, Xi and Kingma, Diederik P. and Salimans, Tim and Duan, Yan and
          Dhariwal, Prafulla and Schulman, John and Sutskever, Ilya and
          Abbeel, Pieter}},
  booktitle={{International Conference on Learning Representations}},
  year={{2017}},
  url={{{_PAPER}}}
}}
```

and, if you use it, this software: vlae_tf, `CITATION.cff` of its repository."""
