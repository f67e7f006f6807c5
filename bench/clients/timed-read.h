/* What the clients of the benchmarks do and measure alike. */
#include <err.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* Open, one read of at most 4096 bytes, close. */
static void read_once(const char *name)
{
	char buffer[4096];
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		err(1, "open %s", name);
	if (read(fd, buffer, sizeof buffer) < 0)
		err(1, "read %s", name);
	if (close(fd) != 0)
		err(1, "close %s", name);
}

/* Of a clock that only goes forward. */
static unsigned long nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ul + now.tv_nsec;
}
