"""Was the time honest, did the patch run, was it the right code? Pure; `measurement` gathers what is judged here."""
