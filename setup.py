"""Packaging of vlae_tf: `pip install -e '.[test]'`."""

import pathlib

import setuptools

# The guide, which the tests build.
_DOCS = [
  'latex2mathml',
  'mkdocs<2',
  'mkdocs-material',
  'mkdocstrings[python]',
  # The last mkdocstrings that older Pythons get does not know later ones.
  'pymdown-extensions<12; python_full_version < "3.11.5"',
]

setuptools.setup(
  name='vlae_tf',
  version='0.1.0',
  description='Variational Lossy Autoencoder in TensorFlow 2, Keras 3 and '
  'TensorFlow Probability.',
  author='The vlae_tf authors',
  license='Apache-2.0',
  license_files=['LICENSE'],
  keywords='variational autoencoder, PixelCNN, autoregressive flow, '
  'lossy compression, TensorFlow, Keras, TensorFlow Probability',
  classifiers=[
    'Development Status :: 4 - Beta',
    'Intended Audience :: Science/Research',
    'Operating System :: OS Independent',
    'Programming Language :: Python :: 3',
    'Programming Language :: Python :: 3 :: Only',
    'Topic :: Scientific/Engineering :: Artificial Intelligence',
    'Typing :: Typed',
  ],
  long_description=pathlib.Path(__file__)
  .with_name('README.md')
  .read_text(encoding='utf-8'),
  long_description_content_type='text/markdown',
  packages=[
    *setuptools.find_packages(include=['vlae_tf', 'vlae_tf.*']),
    'vlae_tf.presets',
  ],
  # Presets are data, not modules: at the top level of a checkout.
  package_dir={'vlae_tf.presets': 'flags'},
  package_data={
    'vlae_tf': [
      'py.typed',
      'pretrained_models/*/*',
      'reproduction/*.json',
      'formats/templates/*',
      'reporting/templates/*',
    ],
    'vlae_tf.presets': ['*.flags'],
  },
  entry_points={
    'console_scripts': [
      'vlae-train = vlae_tf.utils.launcher:train',
      'vlae-evaluate = vlae_tf.utils.launcher:evaluate',
      'vlae-sample = vlae_tf.utils.launcher:sample',
      'vlae-embed = vlae_tf.utils.launcher:embed',
      'vlae-probe = vlae_tf.utils.launcher:probe',
      'vlae-anomaly = vlae_tf.utils.launcher:anomaly',
      'vlae-rate-distortion = vlae_tf.utils.launcher:rate_distortion',
      'vlae-retention = vlae_tf.utils.launcher:retention',
      'vlae-report = vlae_tf.utils.launcher:report',
      'vlae-reproduce = vlae_tf.utils.launcher:reproduce',
      'vlae-window-sweep = vlae_tf.utils.launcher:window_sweep',
      'vlae-receptive-field = vlae_tf.utils.launcher:receptive_field',
      'vlae-doctor = vlae_tf.utils.launcher:doctor',
      'vlae-export = vlae_tf.utils.launcher:export',
      'vlae-compress = vlae_tf.utils.launcher:compress',
      'vlae-decompress = vlae_tf.utils.launcher:decompress',
    ]
  },
  python_requires='>=3.10',
  install_requires=[
    'absl-py>=2.1',
    'filelock>=3.15.4',
    'importlib_resources',  # TFDS needs it, and does not install it.
    'jinja2>=3.1',
    'keras>=3.10,<4',
    'markupsafe>=2.1',
    'matplotlib>=3.8',
    'numpy>=1.26',
    'pillow>=10',
    # TFDS imports files that protobuf 6.31.1 made, and does not say so.
    'protobuf>=6.31.1',
    'safetensors>=0.4.3',
    'scikit-learn>=1.4',
    'scipy>=1.11.1',
    'tensorboard>=2.20',  # `tf.summary` raises without it.
    'tensorflow>=2.20,<3',
    'tensorflow-datasets>=4.9.7',
    'tensorflow-probability[tf]>=0.25,<0.26',
    'tqdm>=4.60',
  ],
  extras_require={
    'docs': _DOCS,
    'gpu': ['tensorflow[and-cuda]>=2.20,<3'],
    'notebooks': ['ipykernel', 'notebook'],
    'test': [
      *_DOCS,
      'h5py',
      'hypothesis',
      'import-linter>=2.9',
      'ipykernel',
      'mypy>=2',
      'nbclient',
      'nbformat',
      'packaging',
      'pytest>=8',
      'pytest-xdist',
      'pyyaml',
      'ruff>=0.17',
      'selenium>=4.20',
      'setuptools',
    ],
  },
)
