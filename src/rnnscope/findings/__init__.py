"""What stored results say: read them here, and figures, pages, tables and claims say the same.

Everything is computed from Datasets that probes returned; nothing is measured and nothing is drawn.
"""
