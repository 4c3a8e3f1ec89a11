"""pytest-perfagents: did the patch make the code faster, and is that proven?"""

__version__ = "0.1.0"
