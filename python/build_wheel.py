"""build_wheel.py - what pip calls (PEP 517, PEP 660): builds the library with make and packs it beside the module.

A wheel is a zip file with three small texts, which is less than what setuptools would have to be told."""
import base64
import hashlib
import os
import re
import subprocess
import sysconfig
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
METADATA = """Metadata-Version: 2.1
Name: foundationts
Version: {version}
Summary: Time-series foundation models: forecasts, training, reading of series
License: Apache-2.0
Requires-Python: >=3.8
Requires-Dist: numpy
Provides-Extra: pandas
Requires-Dist: pandas; extra == "pandas"
"""
WHEEL = "Wheel-Version: 1.0\nGenerator: foundationts\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n"


def _read(path):
    with open(path, "rb") as f:
        return f.read()


def _version():
    try:
        header = _read(os.path.join(ROOT, "include", "foundationts.h")).decode()
    except OSError:
        raise SystemExit("foundationts: the C sources are not beside this folder: install from the repository, with pip 21.3 or newer") from None
    return re.search('FTS_VERSION "(.*)"', header).group(1)


def _make():
    path = os.path.join("build", "libfoundationts.so")
    if subprocess.call(["make", "-s", "-C", ROOT, "-j%d" % (os.cpu_count() or 1), path]):
        raise SystemExit("foundationts: make could not build the library, the reason is above; script/setup installs what is missing")
    return os.path.join(ROOT, path)


def _write(folder, files):
    """files: name in the wheel to bytes. Answers the name of the wheel."""
    version, platform = _version(), re.sub("[-.]", "_", sysconfig.get_platform())
    info = "foundationts-%s.dist-info/" % version
    files = dict(files)
    files[info + "METADATA"] = METADATA.format(version=version).encode()
    files[info + "WHEEL"] = WHEEL.format(platform=platform).encode()
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (name, digest, len(data))
    files[info + "RECORD"] = (record + info + "RECORD,,\n").encode()
    wheel = "foundationts-%s-py3-none-%s.whl" % (version, platform)
    with zipfile.ZipFile(os.path.join(folder, wheel), "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    _version()
    return _write(wheel_directory, {"foundationts.py": _read(os.path.join(HERE, "foundationts.py")), "libfoundationts.so": _read(_make())})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """The module stays where it is and finds the library in build/ of the repository."""
    _version()
    _make()
    return _write(wheel_directory, {"foundationts.pth": (HERE + "\n").encode()})
