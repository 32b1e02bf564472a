"""The header of a card, YAML, as model hubs read it.

Values are written as JSON, which is YAML as well.
"""

import json
from typing import Any

from vlae_tf.formats import description


def text(name: str, described: description.Description) -> str:
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
