"""What each training stack is launched with, brought to the options of Megatron's family or straight to a job and a strategy."""
