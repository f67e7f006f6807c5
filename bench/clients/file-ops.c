/*
 * The client of every file benchmark: one thread, one operation, in a loop.
 *
 *   file-ops stat|read COUNT FILE...
 *
 * Enters the directory of the first FILE, which holds them all, and uses their last components from then on, so that all servers get the same requests however
 * deep the file lies. COUNT operations go round the files in turn, after one untimed round. Prints nanoseconds an operation.
 * `read` is open, one read of at most 4096 bytes, close.
 */
#define _GNU_SOURCE
#include <err.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "timed-read.h"

static void stat_once(const char *name)
{
	struct stat attributes;

	if (stat(name, &attributes) != 0)
		err(1, "stat %s", name);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: %s stat|read COUNT FILE...", argv[0]);
	void (*operation)(const char *) = strcmp(argv[1], "stat") == 0 ? stat_once : read_once;
	long count = strtol(argv[2], NULL, 10);
	int files = argc - 3;
	char **names = argv + 3;
	char *directory = dirname(strdup(names[0]));

	if (chdir(directory) != 0)
		err(1, "chdir %s", directory);
	for (int i = 0; i < files; i++)
		names[i] = basename(names[i]);
	for (int i = 0; i < files; i++)
		operation(names[i]);
	unsigned long start = nanoseconds();
	for (long i = 0; i < count; i++)
		operation(names[i % files]);
	printf("%.1f\n", (double)(nanoseconds() - start) / count);
	return 0;
}
