"""A page in headless Chromium, and what is wrong with it there."""

import base64
import contextlib
import json
import pathlib
import shutil
import time

import pytest

CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
needs_chromium = pytest.mark.skipif(
  not (CHROMIUM and DRIVER), reason='no chromium and chromedriver here'
)
WIDTHS = (1280, 390)
SCHEMES = ('light', 'dark')
_END = 'that is all'  # What a page prints last.
_ARGUMENTS = (
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
)
# What is wider than the window, but for what scrolls by itself.
_TOO_WIDE = """
const width = document.documentElement.clientWidth, found = [];
for (const e of document.body.querySelectorAll('*')) {
  if (e.closest('.scroll, pre, svg, .skip')) continue;
  if (e.getBoundingClientRect().right > width + 0.5) found.push(e.outerHTML);
}
return [found.map((x) => x.slice(0, 200)),
        document.documentElement.scrollWidth - width];
"""


@contextlib.contextmanager
def opened():
  """A browser that notes what pages print and ask for."""
  from selenium import webdriver

  options = webdriver.ChromeOptions()
  options.binary_location = CHROMIUM
  for argument in _ARGUMENTS:
    options.add_argument(argument)
  options.set_capability(
    'goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'}
  )
  service = webdriver.ChromeService(DRIVER)
  driver = webdriver.Chrome(options, service)
  try:
    yield driver
  finally:
    driver.quit()


def show(driver, path, width, scheme):
  """Opens a file in a window of a width, light or dark."""
  driver.execute_cdp_cmd(
    'Emulation.setDeviceMetricsOverride',
    dict(width=width, height=900, deviceScaleFactor=1, mobile=width < 600),
  )
  feature = {'name': 'prefers-color-scheme', 'value': scheme}
  driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [feature]})
  driver.get_log('performance'), driver.get_log('browser')
  driver.get(pathlib.Path(path).absolute().as_uri())


def errors(driver):
  """What the page has printed since it was opened, and asked others for."""
  # What is told arrives in its order, but some time later.
  driver.execute_script(f'console.info("{_END}")')
  lines, requests, deadline = [], [], time.monotonic() + 30
  while not any(_END in line for line in lines):
    assert time.monotonic() < deadline, 'the browser tells nothing'
    lines += [line['message'] for line in driver.get_log('browser')]
    requests += driver.get_log('performance')
  found = [line for line in lines if _END not in line]
  for entry in requests:
    message = json.loads(entry['message'])['message']
    if message['method'] == 'Network.requestWillBeSent':
      url = message['params']['request']['url']
      if not url.startswith(('file:', 'data:')):
        found.append(url)
  return found


def too_wide(driver):
  """Elements that are cut off on the right."""
  found, excess = driver.execute_script(_TOO_WIDE)
  return found or ([f'{excess} pixels'] if excess > 0 else [])


def photograph(driver, path):
  """Writes all of a page to a PNG file."""
  height = driver.execute_script('return document.documentElement.scrollHeight')
  metrics = driver.execute_cdp_cmd('Page.getLayoutMetrics', {})
  clip = dict(
    x=0, y=0, width=metrics['cssLayoutViewport']['clientWidth'], height=height
  )
  shot = driver.execute_cdp_cmd(
    'Page.captureScreenshot',
    {'clip': clip | {'scale': 1}, 'captureBeyondViewport': True},
  )
  pathlib.Path(path).write_bytes(base64.b64decode(shot['data']))
