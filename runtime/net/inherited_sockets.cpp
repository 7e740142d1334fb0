#include <coppice/runtime/net/inherited_sockets.hpp>

#include <coppice/runtime/os/environment.hpp>
#include <coppice/runtime/os/fd_table.hpp>

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coppice {

namespace {

/// SD_LISTEN_FDS_START
constexpr int first_socket = 3;
/// More is no number of sockets but a mistake.
constexpr int most_sockets = 4096;

template <class Number>
result<Number> number_in(const char* variable, const std::string& text, Number most) {
  Number number{};
  const auto* const end = text.data() + text.size();
  const auto [stop, bad] = std::from_chars(text.data(), end, number);
  if (bad == std::errc{} && stop == end && number >= 0 && number <= most) return number;
  return failure_because("read", variable, "'" + text + "' is no such number");
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = std::min(text.find(':'), text.size());
    parts.emplace_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

const char* kind_of_file(mode_t mode) {
  if (S_ISREG(mode)) return "a file";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode)) return "a device";
  return "no socket";
}

/// What keeps `fd` from being a listening stream socket; empty: nothing.
std::string what_it_is_instead(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return "nothing is open there";
  if (!S_ISSOCK(found.st_mode)) return std::string{"it is "} + kind_of_file(found.st_mode);
  if (option(fd, SO_TYPE) == SOCK_DGRAM) return "it is a datagram socket";
  if (option(fd, SO_TYPE) != SOCK_STREAM) return "it is no stream socket";
  const int family = option(fd, SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
    return "it is neither a tcp nor a unix socket";
  if (option(fd, SO_ACCEPTCONN) != 1) return "it is a socket that does not listen";
  return {};
}

} // namespace

result<std::vector<std::string>> names_of_sockets(const listen_variables& said, pid_t self) {
  std::vector<std::string> names;
  if (!said.pid || !said.fds) return names;
  const auto pid = number_in<pid_t>("LISTEN_PID", *said.pid, 0x7fffffff);
  if (!pid) return tl::unexpected{pid.error()};
  if (*pid != self) return names; // they were for whoever started us
  const auto count = number_in<int>("LISTEN_FDS", *said.fds, most_sockets);
  if (!count) return tl::unexpected{count.error()};
  if (said.names) names = split(*said.names);
  names.resize(static_cast<std::size_t>(*count));
  for (auto& name : names)
    if (name.empty()) name = "unknown";
  return names;
}

result<inherited_sockets> inherited_sockets::from_environment() {
  auto names =
      names_of_sockets({os::take_environment("LISTEN_PID"), os::take_environment("LISTEN_FDS"),
                        os::take_environment("LISTEN_FDNAMES")},
                       ::getpid());
  if (!names) return tl::unexpected{names.error()};
  inherited_sockets found;
  found.names_ = *std::move(names);
  found.open_ = os::open_descriptors();
  for (int fd = first_socket; fd < first_socket + static_cast<int>(found.names_.size()); ++fd)
    ::fcntl(fd, F_SETFD, FD_CLOEXEC); // one that is not open is said when it is asked for
  return found;
}

result<int> inherited_sockets::number_of(const std::string& which) const {
  int number = 0;
  const auto* const end = which.data() + which.size();
  if (const auto [stop, bad] = std::from_chars(which.data(), end, number);
      bad == std::errc{} && stop == end)
    return number;
  const auto found = std::find(names_.begin(), names_.end(), which);
  if (found == names_.end())
    return failure_because("take over", "fd://" + which,
                           "LISTEN_FDNAMES has no socket of this name");
  if (const auto again = std::find(found + 1, names_.end(), which); again != names_.end())
    return failure_because(
        "take over", "fd://" + which,
        "several sockets have this name: say which by its number, as in fd://" +
            std::to_string(first_socket + static_cast<int>(found - names_.begin())));
  return first_socket + static_cast<int>(found - names_.begin());
}

result<os::unique_fd> inherited_sockets::take(const std::string& which) {
  const auto number = number_of(which);
  if (!number) return tl::unexpected{number.error()};
  const auto refuse = [&](std::string why) {
    return failure_because("take over", "fd://" + which, std::move(why));
  };
  if (std::find(taken_.begin(), taken_.end(), *number) != taken_.end())
    return refuse("descriptor " + std::to_string(*number) + " is listened on already");
  // What has been opened since is ours, whatever its number.
  const bool ours = !open_.empty() && !std::binary_search(open_.begin(), open_.end(), *number);
  if (auto why = ours ? std::string{"nothing is open there"} : what_it_is_instead(*number);
      !why.empty())
    return refuse("descriptor " + std::to_string(*number) + ": " + why);
  const int flags = ::fcntl(*number, F_GETFL);
  if (flags < 0 || ::fcntl(*number, F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(*number, F_SETFD, FD_CLOEXEC) != 0)
    return system_failure("take over", "fd://" + which);
  taken_.push_back(*number);
  return os::unique_fd{*number};
}

std::vector<std::string> inherited_sockets::left() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (const int number = first_socket + static_cast<int>(i);
        std::find(taken_.begin(), taken_.end(), number) == taken_.end())
      all.push_back(std::to_string(number) + " (" + names_[i] + ")");
  return all;
}

} // namespace coppice
