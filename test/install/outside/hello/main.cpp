#include <coppice/coppice.hpp>
#include <iostream>

void web(coppice::worker& self) {
  coppice::http::serve(self, [name = std::string(self.name())](const coppice::http::request&) {
    return coppice::http::text("hello from " + name + "\n");
  });
}

int main(int argc, char** argv) {
  return coppice::run(
      argc, argv,
      {.children = {coppice::pool("web", web).instances(2).listen("tcp://127.0.0.1:0")},
       .on_ready = [](const coppice::service_started& service) {
         std::cout << "ready at " << service.endpoints.front() << std::endl;
       }});
}
