from nnctl.api import Evaluated as Evaluated
from nnctl.api import Event as Event
from nnctl.api import Finished as Finished
from nnctl.api import Progress as Progress
from nnctl.api import Run as Run
from nnctl.api import SpecText as SpecText
from nnctl.api import Started as Started
from nnctl.api import Tested as Tested
from nnctl.api import load_run as load_run
from nnctl.api import train as train

__version__: str
