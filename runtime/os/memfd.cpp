#include <coppice/runtime/os/memfd.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace coppice::os {

result<unique_fd> sealed_memfd(std::string name, std::size_t size) {
  unique_fd file{::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!file) return system_failure("create memfd", std::move(name));
  if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
    return system_failure("size memfd", std::move(name));
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return system_failure("seal memfd", std::move(name));
  return file;
}

} // namespace coppice::os
