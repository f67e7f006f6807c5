/*
 * Many clients that read files at once, and how long the slowest of their reads took.
 *
 *   readers CLIENTS SECONDS FILE...
 *
 * Each of CLIENTS processes goes round the files, beginning with another one: open, one read of at most 4096 bytes, close. Prints the median, the 99th of a hundred and the
 * longest of all in nanoseconds, and how many there were, with spaces between.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "timed-read.h"

/* Each power of two has 32 buckets: a time is known to 3 per cent. Shorter times than 32 ns do not occur. */
enum { PARTS = 5, BUCKETS = 64 << PARTS };

struct tally {
	unsigned long count[BUCKETS];
	unsigned long longest;
};

static int bucket_of(unsigned long time)
{
	int power = 63 - __builtin_clzl(time | 1 << PARTS);

	return (power << PARTS) + ((time >> (power - PARTS)) & ((1 << PARTS) - 1));
}

static unsigned long end_of(int bucket)
{
	int power = bucket >> PARTS;

	return (1ul << power) + ((bucket & ((1 << PARTS) - 1)) + 1ul) * (1ul << (power - PARTS));
}

static void read_until(unsigned long end, char **files, int first, int number, struct tally *tally)
{
	unsigned long before = nanoseconds();

	for (int i = first; before < end; i++) {
		read_once(files[i % number]);
		unsigned long after = nanoseconds(), took = after - before;
		tally->count[bucket_of(took)]++;
		if (took > tally->longest)
			tally->longest = took;
		before = after;
	}
}

/* The time that a part of all took at most, to 3 per cent. */
static unsigned long quantile(const struct tally *tally, unsigned long total, double part)
{
	unsigned long seen = 0;
	int bucket = PARTS << PARTS;

	while (bucket < BUCKETS - 1 && (seen += tally->count[bucket]) < total * part)
		bucket++;
	return end_of(bucket);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: %s CLIENTS SECONDS FILE...", argv[0]);
	int clients = atoi(argv[1]), files = argc - 3, failed = 0, status;
	unsigned long end = nanoseconds() + (unsigned long)(atof(argv[2]) * 1e9);
	struct tally *tallies = mmap(NULL, (clients + 1) * sizeof *tallies, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tally *all = &tallies[clients];
	unsigned long total = 0;

	if (tallies == MAP_FAILED)
		err(1, "mmap");
	for (int client = 0; client < clients; client++) {
		pid_t pid = fork();
		if (pid < 0)
			err(1, "fork");
		if (pid == 0) {
			read_until(end, argv + 3, client * files / clients, files, &tallies[client]);
			return 0;
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	if (failed)
		errx(1, "a client failed");
	for (int client = 0; client < clients; client++) {
		for (int bucket = 0; bucket < BUCKETS; bucket++) {
			all->count[bucket] += tallies[client].count[bucket];
			total += tallies[client].count[bucket];
		}
		if (tallies[client].longest > all->longest)
			all->longest = tallies[client].longest;
	}
	printf("%lu %lu %lu %lu\n", quantile(all, total, 0.5), quantile(all, total, 0.99), all->longest, total);
	return 0;
}
