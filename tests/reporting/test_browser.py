"""Pages in headless Chromium: wide and narrow, light and dark."""

import itertools
import time

import numpy as np
import pytest
from reproduction import made

from reporting import browser
from reporting.made import of_run
from vlae_tf.reporting import explorer, page, sections
from vlae_tf.reproduction import windows

pytestmark = browser.needs_chromium
_SEEN = list(itertools.product(browser.WIDTHS, browser.SCHEMES))


@pytest.fixture(scope='module')
def driver():
  """A browser."""
  with browser.opened() as found:
    yield found


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
  """A report of one run, one of two, and the page of a sweep."""
  path = tmp_path_factory.mktemp('pages')
  runs = [of_run('with'), of_run('without', has_latent=False)]
  for num in (1, 2):
    page.write(
      sections.report(runs[:num], 'a long command ' * 20), path / f'{num}.html'
    )
  rng = np.random.default_rng(0)
  names = windows.USUAL
  rows = [
    windows.Row(n, k, made.record(n, made.score(90 - k, rate_bits=9)), [0.5], 9)
    for k, n in enumerate(names)
  ]
  drawn = {n: rng.uniform(size=(3, 16, 28, 28, 1)) for n in names}
  images = rng.uniform(size=(16, 28, 28, 1))
  found = explorer.make(rows, windows.Drawn(images, drawn, drawn), 'a')
  page.write(found, path / 'windows.html')
  return {
    'one': path / '1.html',
    'two': path / '2.html',
    'windows': path / 'windows.html',
  }


@pytest.mark.parametrize('name', ['one', 'two', 'windows'])
@pytest.mark.parametrize('width, scheme', _SEEN)
def test_nothing_is_wrong_and_nothing_sticks_out(
  driver, pages, name, width, scheme
):
  browser.show(driver, pages[name], width, scheme)
  assert browser.errors(driver) == []
  assert browser.too_wide(driver) == []


@pytest.mark.parametrize('scheme', browser.SCHEMES)
def test_the_button_turns_dark_and_light(driver, pages, scheme):
  browser.show(driver, pages['one'], 1280, scheme)

  def brightness():
    colour = driver.execute_script(
      'return getComputedStyle(document.body).backgroundColor'
    )
    return sum(map(int, colour.strip('rgb()').split(',')))

  before = brightness()
  assert (before > 382) == (scheme == 'light')
  button = driver.find_element('id', 'theme')
  button.click()
  assert (brightness() > 382) != (scheme == 'light')
  button.click()
  assert brightness() == before


def _shown(driver, chooser):
  panels = driver.find_elements('css selector', f'#{chooser} > .panel')
  return [k for k, panel in enumerate(panels) if panel.is_displayed()]


def test_the_slider_goes_through_draws_by_keys(driver, pages):
  from selenium.webdriver.common.keys import Keys

  browser.show(driver, pages['two'], 390, 'light')
  slider = driver.find_element('id', 'decompression-slider')
  told = driver.find_element('css selector', '#decompression output')
  assert _shown(driver, 'decompression') == [0] and told.text == '1 of 6'
  slider.send_keys(Keys.ARROW_RIGHT)
  slider.send_keys(Keys.ARROW_RIGHT)
  assert _shown(driver, 'decompression') == [2] and told.text == '3 of 6'
  # The other one is where it was.
  assert _shown(driver, 'completion') == [0]
  assert browser.errors(driver) == []


def test_a_window_is_chosen_by_click_and_by_keys(driver, pages):
  from selenium.webdriver.common.keys import Keys

  browser.show(driver, pages['windows'], 1280, 'dark')
  buttons = driver.find_elements('css selector', '#window label')
  inputs = driver.find_elements('css selector', '#window input')

  def marked():
    shown = driver.find_elements('css selector', '#window figcaption')
    words = ' '.join(
      caption.text for caption in shown if caption.is_displayed()
    )
    return [n for n in windows.USUAL if f'window {n} is marked' in words]

  for chosen, choose in (
    (0, lambda: None),
    (3, buttons[3].click),
    (4, lambda: inputs[3].send_keys(Keys.ARROW_RIGHT)),
  ):
    choose()
    assert _shown(driver, 'window') == [chosen]
    assert marked() == [windows.USUAL[chosen]]
  assert browser.errors(driver) == []


def test_without_scripts_everything_is_there(driver, pages):
  driver.execute_cdp_cmd(
    'Emulation.setScriptExecutionDisabled', {'value': True}
  )
  try:
    browser.show(driver, pages['windows'], 390, 'light')
    # Without scripts, the driver does not wait for the whole page.
    expected, deadline = [*range(len(windows.USUAL))], time.monotonic() + 30
    while _shown(driver, 'window') != expected:
      assert time.monotonic() < deadline, _shown(driver, 'window')
      time.sleep(0.1)
  finally:
    driver.execute_cdp_cmd(
      'Emulation.setScriptExecutionDisabled', {'value': False}
    )


def test_the_checks_see_what_is_wrong(driver, tmp_path):
  path = tmp_path / 'bad.html'
  path.write_text(
    '<!doctype html><meta charset="utf-8"><div style="width: 3000px">wide</div>'
    '<script>console.error("loud")</script>'
    '<img src="http://127.0.0.1:9/none.png" alt="">'
  )
  browser.show(driver, path, 390, 'light')
  found = browser.errors(driver)
  assert any('loud' in line for line in found)
  assert any(line.startswith('http://127.0.0.1:9') for line in found)
  assert browser.too_wide(driver)
