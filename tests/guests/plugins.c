/* dlopen and dlclose in a loop: code appears, goes, and comes back at the same or another address. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv)
{
  double sum = 0;
  for (int i = 0; i < 100; i++) {
    void* library = dlopen(argv[argc - 1], i % 2 ? RTLD_NOW : RTLD_LAZY);
    if (library == NULL)
      return 1;
    double (*scaled)(double) = (double (*)(double))dlsym(library, "scaled");
    sum += scaled(i) + scaled(1);
    if (dlclose(library) != 0)
      return 2;
  }
  printf("%.17g\n", sum);
  printf("%d\n", dlopen("/nonexistent/library.so", RTLD_NOW) == NULL);
  return 0;
}
