"""From outcomes to tables: what a report counts, compares and recommends. Pure; nothing here reads or prints."""
