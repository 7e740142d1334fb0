// Settings, programs and run_program in a whole service.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <csignal>
#include <unistd.h>

using namespace coppice;

namespace {

/// The value of "Name:\tvalue" on a line of its own.
std::string value(const std::string& text, const std::string& name) {
  const auto at = ("\n" + text).find("\n" + name + ":\t");
  REQUIRE(at != std::string::npos);
  const auto begin = at + name.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string get(int port, const std::string& path) {
  std::string body;
  REQUIRE(test::eventually([&] { // a worker that was just killed takes a connection with it
    test::http_client c{port};
    const auto answer = c.get(path);
    if (answer) body = answer->body;
    return answer.has_value();
  }));
  return body;
}

void check_settings(const std::string& status, bool other_user) {
  INFO(status);
  CHECK(value(status, "household") == "set");
  CHECK(value(status, "Umask") == "0027");
  CHECK(value(status, "NoNewPrivs") == "1");
  CHECK(value(status, "cwd") == "/usr");
  CHECK(value(status, "files") == "500 600");
  if (!other_user) return;
  CHECK(value(status, "Uid") == "65534\t65534\t65534\t65534");
  CHECK(value(status, "Gid") == "65533\t65533\t65533\t65533");
  CHECK(value(status, "Groups").starts_with("4 24"));
}

} // namespace

TEST_CASE("workers serve with their settings, and so do those who grow back") {
  for (const std::string how : {"zygote", "exec"}) {
    INFO(how);
    const bool other_user = ::geteuid() == 0 && how == "zygote";
    test::program p{{HOUSEHOLD, how, PROGRAM_HELPER}};
    p.wait_ready();
    REQUIRE(p.wait_output("sidekick: at your service"));
    CHECK(p.output().find("sidekick  program  up  pid ") != std::string::npos);
    check_settings(get(p.port(), "/"), other_user);
    for (const auto pid : p.workers()) ::kill(pid, SIGKILL);
    check_settings(get(p.port(), "/"), other_user);
    p.signal(SIGTERM);
    CHECK(p.wait_exit().text() == "exit code 0");
  }
}

TEST_CASE("a worker runs programs, which inherit what it is and none of what it holds") {
  test::program p{{HOUSEHOLD, "zygote", PROGRAM_HELPER}};
  p.wait_ready();
  const auto text = get(p.port(), "/run");
  INFO(text);
  CHECK(text.starts_with("exit code 0\n"));
  if (::geteuid() == 0) CHECK(text.find("\n65534\n") != std::string::npos);
  CHECK(text.find("HOUSEHOLD=set\n") != std::string::npos);
  CHECK(text.find("COPPICE_") == std::string::npos);
  CHECK(text.find("\n0\n1\n2\n3\n") != std::string::npos); // 3 is that of the directory it lists
  CHECK_FALSE(text.ends_with("\n4\n"));
}

TEST_CASE("a worker whose set-up fails is a boot failure that names the step") {
  for (const std::string how : {"zygote", "exec"}) {
    test::program p{{HOUSEHOLD, how, PROGRAM_HELPER, "bad"}};
    CHECK(p.wait_exit().text() == "exit code 1");
    INFO(p.output());
    // Either of the two workers may be the first to fail, and the other may have had no time to.
    CHECK((p.output().find("web/1: chdir /nonexistent: No such file or directory") !=
               std::string::npos ||
           p.output().find("web/2: chdir /nonexistent: No such file or directory") !=
               std::string::npos));
    CHECK(p.output().find("coppice: ready") == std::string::npos);
  }
}

TEST_CASE("a program does not outlive a primary that is killed") {
  test::program p{{HOUSEHOLD, "zygote", PROGRAM_HELPER}};
  p.wait_ready();
  const auto text = p.output();
  const auto at = text.find("sidekick  program  up  pid ");
  REQUIRE(at != std::string::npos);
  const pid_t sidekick = std::atoi(text.c_str() + text.find("pid ", at) + 4);
  p.signal(SIGKILL);
  p.wait_exit();
  CHECK(test::eventually([&] {
    const char state = test::process_state(sidekick);
    return state == 0 || state == 'Z';
  }));
}
