"""What users may rely on: the names of the package and of its rooms."""

import ast
import importlib
import inspect
import runpy
import subprocess
import sys

import pytest
import setuptools
import source_tree

import vlae_tf

_PUBLIC = {
  'vlae_tf': """
    VLAE Config Run Terms Trainer __version__ build_model
    from_preset from_pretrained receptive_field restore
  """,
  'vlae_tf.models': """
    ENCODERS NETWORKS OBJECTIVES POSTERIORS PRIORS SCHEDULES VLAE Architecture
    AutoregressiveDecoder AutoregressiveFlowPrior Beta
    ChannelwisePixelCNNFlowPrior Config DiagonalGaussianPosterior FreeBits
    GaussianPrior HalveOnPlateau HoldThenCosine HoldThenLinear
    ImportanceWeighted InverseAutoregressiveFlowPosterior LearnedFeatures
    Likelihood ModelBuilder NegativeELBO NoFeatures NoPosterior Objective
    PixelCNNFlowPrior Posterior Prior SoftFreeBits SpatialGaussianPosterior
    Terms WarmUp WarmedUp build_model
  """,
  'vlae_tf.compression': """
    SYMBOLS AutoregressiveImages BernoulliSymbols BitsBack CategoricalSymbols
    Chunks Codec Coder Encoded ExactModel GaussianSymbols Independent Interval
    LogisticMixtureSymbols LosslessChunks LossyChunks Message PixelSymbols
    Priced Settings Sizes StandardGaussianSymbols Symbols Transformed WithCode
    check_codec codec_of on_lattice
  """,
  'vlae_tf.data': """
    DATASETS PIXEL_KINDS Collection ImageData bernoulli_means default_data_dir
    evaluation_batches fixed_binarization load pixel_kind training_batches
  """,
  'vlae_tf.distributions': """
    PIXEL_DISTRIBUTIONS AutoregressiveImage AutoregressiveShift BernoulliPixel
    CategoricalPixel Draw FlowDistribution LogisticMixturePixel
    PixelDistribution diagonal_gaussian draw standard_gaussian
  """,
  'vlae_tf.nn': """
    CausalNetwork ChannelwiseShiftCNN DenseBlock DenseNetEncoder
    DenseNetGenerator DownsampledWindowCNN Encoder GatedPixelCNN Generator
    GreyPixelCNNPlusPlus MADE PixelCNN PixelCNNPlusPlus PointwiseCNN
    ResidualBlock Session ShiftCNN SpatialEncoder SpatialGenerator Update
    Wavefront WeightNorm WeightNormConv2D WeightNormConv2DTranspose
    WeightNormDense WindowCNN
    data_dependent_initialization
  """,
}
# Rooms below them, whose classes are theirs as well.
_INNER = {'vlae_tf.nn': ('causal/network', 'pixel/*')}

# What `load` is made of: builders of TFDS, and the files that they read.
_HIDDEN = {'Caltech101Silhouettes', 'OmniglotBurda', 'Original'}
# What commands are made of.
_HIDDEN |= {'Measurer', 'Report', 'Row'}

each_package = pytest.mark.parametrize('package', _PUBLIC)


@each_package
def test_names_are_these(package):
  assert sorted(importlib.import_module(package).__all__) == sorted(
    _PUBLIC[package].split()
  )


@each_package
def test_names_are_there_and_none_is_a_module(package):
  module = importlib.import_module(package)
  for name in module.__all__:
    thing = getattr(module, name)
    assert name in dir(module)
    assert not inspect.ismodule(thing), name
    if name[0] != '_' and not name.isupper():
      assert callable(thing), name


@pytest.mark.parametrize('package', [p for p in _PUBLIC if '.' in p])
def test_a_room_names_all_its_public_classes(package):
  room = importlib.import_module(package)
  folder = source_tree.ROOT / package.replace('.', '/')
  patterns = ('*', *_INNER.get(package, ()))
  for path in sorted({p for q in patterns for p in folder.glob(f'{q}.py')}):
    tree = ast.parse(path.read_text(encoding='utf-8'))
    classes = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
    public = {c for c in classes if c[0] != '_'} - _HIDDEN
    assert public <= set(room.__all__), path


def test_an_unknown_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
    _ = vlae_tf.nonsense


def test_earlier_names_import_the_same_modules():
  code = """
import importlib, warnings
pairs = [
  ('components', 'models'),
  ('model', 'models.vlae'),
  ('coding.lattice', 'compression.lattice'),
]
for old, new in pairs:
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    module = importlib.import_module(f'vlae_tf.{old}')
  assert module is importlib.import_module(f'vlae_tf.{new}')
  assert any('has been renamed to vlae_tf' in str(w.message) for w in caught)
"""
  subprocess.run([sys.executable, '-c', code], check=True, timeout=60)


def test_type_checkers_are_told_of_the_same_homes():
  (block,) = [
    node
    for node in source_tree.parse('vlae_tf/__init__').body
    if isinstance(node, ast.If)
  ]
  told = {
    alias.asname or alias.name: f'{node.module}:{alias.name}'
    for node in block.body
    for alias in node.names
  }
  homes = {name: f'vlae_tf.{home}' for name, home in vlae_tf._HOMES.items()}
  assert told == homes
  assert {*homes, '__version__'} == set(vlae_tf.__all__)


def test_the_package_alone_does_not_import_tensorflow():
  code = """
import sys, vlae_tf
dir(vlae_tf)
heavy = {'tensorflow', 'keras', 'tensorflow_probability', 'numpy'}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""
  subprocess.run([sys.executable, '-c', code], check=True, timeout=60)


def test_the_version_is_that_of_the_distribution(monkeypatch):
  given = {}
  monkeypatch.setattr(setuptools, 'setup', given.update)
  monkeypatch.chdir(source_tree.ROOT)
  runpy.run_path('setup.py')
  assert vlae_tf.__version__ == given['version']


def test_the_function_is_found_where_the_command_is():
  found = importlib.import_module('vlae_tf.evaluation.receptive_field').find
  assert vlae_tf.receptive_field is found
