// A program that does what its arguments say, one after the other, and then sleeps until it is
// killed:
//
//   count=FILE     appends a line to FILE; the number of its lines is this start's number
//   N:WORD         WORD, if this is start number N
//   exit=N         raise=SIGNAL     ignore=SIGNAL     abort
//   line=TEXT      to standard output         error=TEXT   to standard error
//   print=BYTES    so many bytes of 'x' to standard output
//   env            its environment            fds          its descriptors
//   read           reads standard input to its end, and says how many bytes there were
//   close-input    nap=MS
//   notify         READY=1 to NOTIFY_SOCKET   notify-from-child   the same from another process
//   notify-other   STATUS=, but not READY
//   daemon         forks, ends with 0, and goes on as a process that nobody knows
//   child          forks a child that sleeps and holds everything open
//   tcp=PORT       unix=PATH                  listens there
//   http=PORT,STATUS                          answers every request with this status, for ever
#include <arpa/inet.h>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace {

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  ::_exit(90);
}

[[noreturn]] void sleep_for_ever() {
  for (;;) ::pause();
}

void print(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto n = ::write(fd, text.data() + at, text.size() - at);
    if (n < 0) fail("write");
    at += static_cast<std::size_t>(n);
  }
}

int count_in(const char* file) {
  const int fd = ::open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0 || ::write(fd, "\n", 1) != 1) fail(file);
  const auto lines = ::lseek(fd, 0, SEEK_END);
  ::close(fd);
  return static_cast<int>(lines);
}

void notify(const char* text) {
  const char* where = std::getenv("NOTIFY_SOCKET");
  if (where == nullptr) fail("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(where);
  std::memcpy(address.sun_path, where, size);
  if (where[0] == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (::sendto(fd, text, std::strlen(text), 0, reinterpret_cast<sockaddr*>(&address),
               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size)) < 0)
    fail("notify");
  ::close(fd);
}

void become_daemon() {
  const pid_t first = ::fork();
  if (first < 0) fail("fork");
  if (first > 0) ::_exit(0);
  ::setsid();
  const pid_t second = ::fork();
  if (second < 0) fail("fork");
  if (second > 0) ::_exit(0);
}

int listen_on(int family, const sockaddr* address, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, address, size) != 0 || ::listen(fd, 16) != 0) fail("listen");
  return fd;
}

int listen_tcp(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return listen_on(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

void listen_unix(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  listen_on(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

/// The first request is answered with 503, as by a service that is not ready yet.
[[noreturn]] void serve_http(int port, const std::string& status) {
  const int listener = listen_tcp(port);
  for (bool first = true;; first = false) {
    const int client = ::accept(listener, nullptr, nullptr);
    char request[4096];
    if (client < 0 || ::read(client, request, sizeof request) < 0) fail("serve");
    print(client, "HTTP/1.1 " + (first ? "503" : status) + " x\r\nContent-Length: 0\r\n\r\n");
    ::close(client);
  }
}

void read_input() {
  std::size_t bytes = 0;
  char buffer[4096];
  for (ssize_t n; (n = ::read(0, buffer, sizeof buffer)) > 0;) bytes += static_cast<std::size_t>(n);
  print(1, std::to_string(bytes) + "\n");
}

void list_descriptors() {
  std::string text = "fds:";
  for (int fd = 0; fd < 256; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) text += " " + std::to_string(fd);
  print(1, text + "\n");
}

void list_environment() {
  std::string text;
  for (char** entry = environ; *entry != nullptr; ++entry) text += std::string{*entry} + "\n";
  print(1, text);
}

void notify_from_child() {
  if (::fork() == 0) {
    notify("READY=1");
    ::_exit(0);
  }
  ::wait(nullptr);
}

int start_number = 1;

void act(std::string word) {
  if (const auto colon = word.find(':'); colon == 1 && word[0] >= '0' && word[0] <= '9') {
    if (word[0] - '0' != start_number) return;
    word = word.substr(2);
  }
  const auto equals = word.find('=');
  const std::string what = word.substr(0, equals);
  const std::string value = equals == word.npos ? "" : word.substr(equals + 1);
  const int number = std::atoi(value.c_str());
  if (what == "count") start_number = count_in(value.c_str());
  if (what == "exit") ::_exit(number);
  if (what == "raise") {
    const rlimit none{0, 0}; // no core file: that takes long
    ::setrlimit(RLIMIT_CORE, &none);
    ::raise(number);
  }
  if (what == "ignore") ::signal(number, SIG_IGN);
  if (what == "line") print(1, value + "\n");
  if (what == "error") print(2, value + "\n");
  if (what == "print") print(1, std::string(static_cast<std::size_t>(number), 'x'));
  if (what == "env") list_environment();
  if (what == "fds") list_descriptors();
  if (what == "read") read_input();
  if (what == "close-input") ::close(0);
  if (what == "nap") ::usleep(static_cast<useconds_t>(number) * 1000);
  if (what == "notify") notify("STATUS=well\nREADY=1\nMAINPID=1");
  if (what == "notify-other") notify("STATUS=not yet\nREADY=0");
  if (what == "notify-from-child") notify_from_child();
  if (what == "daemon") become_daemon();
  if (what == "fat") { // its end, and that of those it forks, takes a while
    const auto size = static_cast<std::size_t>(number) * 1024 * 1024;
    std::memset(std::malloc(size), 1, size);
  }
  if (what == "child" && ::fork() == 0) {
    ::alarm(60); // whoever forgets it is rid of it all the same
    sleep_for_ever();
  }
  if (what == "tcp") listen_tcp(number);
  if (what == "unix") listen_unix(value.c_str());
  if (what == "http") serve_http(number, value.substr(value.find(',') + 1));
}

} // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) act(argv[i]);
  sleep_for_ever();
}
