"""Reproduction of the paper: experiments, records, tables and figures."""
