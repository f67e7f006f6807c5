/* The peer in C: one read-only file, /control, on libfuse 3's high-level interface. Nothing is cached: both timeouts 0, direct I/O. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <string.h>
#include <sys/stat.h>

static const char path_of_file[] = "/control";
static const char content[] = "a control file\n";

static void *hello_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->attr_timeout = 0;
	config->entry_timeout = 0;
	config->negative_timeout = 0;
	config->direct_io = 1;
	return NULL;
}

static int hello_getattr(const char *path, struct stat *attributes, struct fuse_file_info *file)
{
	(void)file;
	memset(attributes, 0, sizeof *attributes);
	if (strcmp(path, "/") == 0) {
		attributes->st_mode = S_IFDIR | 0755;
		attributes->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, path_of_file) != 0)
		return -ENOENT;
	attributes->st_mode = S_IFREG | 0444;
	attributes->st_nlink = 1;
	attributes->st_size = 1000;
	return 0;
}

static int hello_open(const char *path, struct fuse_file_info *file)
{
	(void)file;
	return strcmp(path, path_of_file) == 0 ? 0 : -ENOENT;
}

static int hello_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *file)
{
	size_t length = sizeof content - 1;

	(void)path;
	(void)file;
	if ((size_t)offset >= length)
		return 0;
	if (size > length - offset)
		size = length - offset;
	memcpy(buffer, content + offset, size);
	return size;
}

static const struct fuse_operations operations = {
	.init = hello_init,
	.getattr = hello_getattr,
	.open = hello_open,
	.read = hello_read,
};

int main(int argc, char **argv)
{
	return fuse_main(argc, argv, &operations, NULL);
}
