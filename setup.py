"""Packaging of vlae_tf: `pip install -e '.[test]'`."""

import pathlib

import setuptools

setuptools.setup(
  name='vlae_tf',
  version='0.1.0',
  description='Variational Lossy Autoencoder in TensorFlow 2, Keras 3 and '
  'TensorFlow Probability.',
  long_description=pathlib.Path(__file__)
  .with_name('README.md')
  .read_text(encoding='utf-8'),
  long_description_content_type='text/markdown',
  packages=setuptools.find_packages(include=['vlae_tf', 'vlae_tf.*']),
  python_requires='>=3.10',
  install_requires=[
    'absl-py>=2.1',
    'importlib_resources',  # TFDS needs it, and does not install it.
    'keras>=3.10,<4',
    'matplotlib>=3.8',
    'numpy>=1.26',
    'pillow>=10',
    'scikit-learn>=1.4',
    'scipy>=1.11',
    'tensorboard>=2.18',  # `tf.summary` raises without it.
    'tensorflow>=2.18,<3',
    'tensorflow-datasets>=4.9.7',
    'tensorflow-probability[tf]>=0.25,<0.26',
    'tqdm>=4.60',
  ],
  extras_require={
    'gpu': ['tensorflow[and-cuda]>=2.18,<3'],
    'test': [
      'packaging',
      'pytest>=8',
      'pytest-xdist',
      'ruff>=0.6',
      'setuptools',
    ],
  },
)
