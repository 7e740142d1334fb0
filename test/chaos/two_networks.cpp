#include "chaos/two_networks.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <sched.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace coppice::test {

namespace {

bool run(const std::string& command) {
  return std::system((command + " 2>/dev/null").c_str()) == 0;
}

os::unique_fd own_network() {
  return os::unique_fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
}

} // namespace

two_networks::two_networks() : why_not_{set_up()} {}

std::string two_networks::set_up() {
  if (::geteuid() != 0) return "not root";
  if (!run("ip -V >/dev/null")) return "there is no ip(8)";
  const auto home = own_network();
  if (::unshare(CLONE_NEWNET) != 0) return std::string{"unshare: "} + std::strerror(errno);
  const auto give_up = [&](const char* why) {
    ::setns(home.get(), CLONE_NEWNET);
    return std::string{why};
  };
  // A namespace is named to ip(8) by a thread that lives in it.
  if (!run("ip link set lo up && ip link add server mtu 1500 type veth peer name client mtu 1500"))
    return give_up("no veth pair can be made");
  std::promise<pid_t> there;
  std::promise<void> given;
  bool well = false;
  std::thread client{[&] {
    if (::unshare(CLONE_NEWNET) != 0) return there.set_value(0);
    clients_ = own_network();
    there.set_value(::gettid());
    given.get_future().wait();
    well = run("ip link set lo up && ip addr add 10.77.0.2/24 dev client && ip link set client up");
  }};
  const pid_t thread = there.get_future().get();
  const bool moved =
      thread != 0 && run("ip link set client netns " + std::to_string(thread)) &&
      run("ip addr add " + std::string{server_address} + "/24 dev server && ip link set server up");
  given.set_value();
  client.join();
  if (!moved || !well) return give_up("the veth pair cannot be set up");
  // Segments as a real link has them; a kernel that cannot do without hands over larger ones.
  run("ip link set server gso_max_segs 1");
  return {};
}

void two_networks::enter_as_client() const {
  if (::setns(clients_.get(), CLONE_NEWNET) != 0) throw std::runtime_error{"setns"};
}

} // namespace coppice::test
