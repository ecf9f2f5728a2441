"""Distillation: what large models say of unlabelled text teaches a small one."""
