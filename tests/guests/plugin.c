/* Loaded and unloaded by plugins.c. */
static double factor = 1.5;
static int constructed;

__attribute__((constructor)) static void construct(void)
{
  constructed = 1;
}

double scaled(double x)
{
  factor += 0.25;
  return x * factor * constructed;
}
