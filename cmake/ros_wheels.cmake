# What it takes to build against the ROS 2 wheels of PyPI; harmless on an apt or source ROS 2, which needs none of it.

# The wheels are installed straight into a virtual environment, which no setup.bash announces: where
# AMENT_PREFIX_PATH is unset, the prefix that ament_cmake comes from stands in for it.
if("$ENV{AMENT_PREFIX_PATH}" STREQUAL "")
  find_package(ament_cmake_core REQUIRED)
  cmake_path(GET ament_cmake_core_DIR PARENT_PATH prefix)  # <prefix>/share/ament_cmake_core/cmake
  cmake_path(GET prefix PARENT_PATH prefix)
  cmake_path(GET prefix PARENT_PATH prefix)
  set(ENV{AMENT_PREFIX_PATH} "${prefix}")
  unset(prefix)
endif()

# Call after rosidl_generate_interfaces, whose Python targets name folders that are good on one machine alone. CMake
# refuses to use the wheels' targets, whose folders were those of the machine that built them, and to export ours
# where the environment lies within the checkout: drop the folders that are not there, keep the others out of the export.
function(mend_ros_wheel_targets)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  list(FILTER targets INCLUDE REGEX "__rosidl_generator_py$")
  foreach(target IN LISTS targets ITEMS ${PROJECT_NAME}__rosidl_generator_py)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    set(mended "")
    foreach(folder IN LISTS folders)
      if(folder MATCHES "^\\$<")
        list(APPEND mended "${folder}")
      elseif(EXISTS "${folder}")
        list(APPEND mended "$<BUILD_INTERFACE:${folder}>")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${mended}")
  endforeach()
endfunction()
