#pragma once
// HTTP/1.1 for workers: everything a service needs of it.

#include <coppice/http/options.hpp>
#include <coppice/http/percent.hpp>
#include <coppice/http/request.hpp>
#include <coppice/http/responder.hpp>
#include <coppice/http/response.hpp>
#include <coppice/http/serve.hpp>
