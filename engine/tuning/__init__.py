"""Fine-tuning on what a person corrected: what will be learnt, the run, versions and their standing.

Needs no torch: the training runs in a process of its own (`engine.train.process`).
"""
