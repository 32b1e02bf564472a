"""The paper's tables and figures, measured: rows, runs, records, words."""
