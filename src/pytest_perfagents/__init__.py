"""pytest-perfagents: did the patch make the code faster, and is that proven?"""
