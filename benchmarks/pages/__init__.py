"""Pages of docs/results/: what the result files of the studies say, as Markdown and plots.

A page is made of one result file and nothing else, whole or not: what is not there yet is named.
"""
