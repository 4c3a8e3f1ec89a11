"""Processes of measured code: started, bounded, ended with all that they started; sessions and leases."""
