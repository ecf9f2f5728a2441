"""Bulk annotation: a stream of documents in, atomic part files out, in worker processes, resumable.

sources   paths → documents and what could not be read
parts     documents → parts, cut by the input alone
wire      messages between the job and its workers: msgspec structs, never pickle
worker    the child process: annotates a part, writes it, answers with its row
output    a part file: whole or not at all, on the disk before its row is written
manifest  rows of finished parts, one after another, that survive a power cut
pool      worker processes: started, asked, replaced when they die
deid      what a job that de-identifies needs, and what its rows may tell
job       the whole of it, and what a resumed job checks and skips
stream    documents through the same workers, in order, for output to a single file
"""
