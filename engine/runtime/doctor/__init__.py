"""What `tongguan doctor` looks at: what is wrong, and the line that mends it. It changes nothing."""
