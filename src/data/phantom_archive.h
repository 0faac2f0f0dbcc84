/* data/phantom_archive.h: synthetic mammograms in the layout of the CBIS-DDSM download, to try everything
 * from DICOM files on.
 *
 *     FOLDER/
 *       CBIS-DDSM/Mass-Training_P_00001_LEFT_CC/07-20-2016-DDSM-NA-30678/
 *           1.000000-full mammogram images-24515/1-1.dcm                     16 bits
 *       CBIS-DDSM/Mass-Training_P_00001_LEFT_CC_1/.../
 *           1.000000-ROI mask images-93340/1-1.dcm, 1-2.dcm                  crop 16 bits, mask 8 bits
 *       mass_case_description_train_set.csv, mass_case_description_test_set.csv (where there are test cases)
 *       faults.csv   the truth: every fault that was put in (where they are asked for)
 *       README.txt   says that nothing in the folder comes from a patient; written last
 *
 * The pictures, masks and labels are those phantom_write makes of the same options; patient P0001 is P_00001.
 * As in the archive a crop is the mask's box, its grey values stretched on their own. Implicit VR little
 * endian, 16 bits stored. Comments in the headers say that the pictures are drawn. */
#ifndef CLEARMASS_DATA_PHANTOM_ARCHIVE_H
#define CLEARMASS_DATA_PHANTOM_ARCHIVE_H

#include "data/phantom.h"

/* Images that faults need at least, so that each of them occurs. */
int phantom_archive_fault_kinds(void);

/* Makes the folder on every core, showing progress. It must be new, empty or left unfinished by an
 * interrupted call of the same options. With faults about half of the masks and crops are swapped in their
 * series, the tables have quoted newlines, CRLF and backslashes, and each of the other faults known of the
 * archive is put into one film. Fails on options that make no sense, normal_share above 0 (the archive has no
 * normal films), and too few images for the faults. */
bool phantom_archive_write(struct phantom_counts *counts, const char *folder, const struct phantom_options *o,
                           bool faults, struct err *err);

#endif
