/* SPDX-License-Identifier: Apache-2.0 */
/* Container images as guests' roots: by which skopeo and umoci. */
#include "vmm/doctor/verdict.h"

static Finding find_tool(const HostImages *images, const char *key, const char *version, const char *meaning) {
  return (Finding){key, key,
                   FACT_TEXT(version         ? (char *)version
                             : images->asked ? (char *)"missing"
                                             : NULL),
                   .meaning = version ? meaning : "no --image"};
}

void doctor_find_images(Doctor *doctor) {
  const HostImages *images = &doctor->host->process.images;
  const Finding rows[] = {
      find_tool(images, "skopeo", images->skopeo, "--image IMAGE: reads it"),
      find_tool(images, "umoci", images->umoci, "--image IMAGE: unpacks it"),
  };

  doctor_add(doctor, "images", true, rows, G_N_ELEMENTS(rows));
}

void doctor_advise_images(Doctor *doctor) {
  const char *problem = doctor->host->process.images.problem;

  if (problem)
    doctor_add_advice(doctor, "images", "%s.", problem);
}
