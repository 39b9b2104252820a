"""Any3DIS for robots: every object in the room as a 3D instance, without being told classes."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)  # to the generated msg, srv and action, wherever installed
__version__ = "0.1.0"
