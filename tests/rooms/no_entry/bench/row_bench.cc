// Runs one of the two kernels.
void run(const Kernels& k) { k.scaled_add(x, 1.0f, 16, y); }
