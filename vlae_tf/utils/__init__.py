"""What is not about models: files, checks, seeds, devices, commands."""
