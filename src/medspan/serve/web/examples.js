/** Invented notes: nobody in them exists. */

export const EXAMPLES = [
  {
    name: "Discharge summary",
    text: `CHIEF COMPLAINT: Chest pain and shortness of breath.

HISTORY OF PRESENT ILLNESS:
Mrs. Ottilie Brandvold is a 67-year-old woman with type 2 diabetes mellitus, hypertension and chronic kidney disease who came on 03/14/2024 with two days of substernal chest pain. She denies fever, cough or leg swelling. No evidence of pulmonary embolism on CT angiography. Her father died of colon cancer.

MEDICATIONS:
Metformin 500 mg by mouth twice daily for diabetes.
Lisinopril 10 mg once a day for hypertension.
Aspirin 81 mg daily.

ALLERGIES: Penicillin causes rash.

HOSPITAL COURSE:
Troponin was elevated at 0.42 ng/mL. Coronary angiography showed stenosis of the left anterior descending artery; a stent was placed. Possible contrast-induced nephropathy: creatinine rose from 1.4 to 2.1 mg/dL and fell again after intravenous fluids. Atorvastatin 40 mg was begun.

PLAN:
Return if chest pain recurs. Consider warfarin should atrial fibrillation be found. Call Dr. Ingram Lockhart at 555-0142; record number 8841907.
`,
  },
  {
    name: "Psychiatry note",
    text: `ID: Mr. Teodor Vance, MRN 5520184, seen 2 May 2024 at Larkspur Clinic.

HISTORY: Bipolar disorder since 2009, on lithium carbonate 900 mg nightly. His sister has schizophrenia. Denies suicidal ideation. No sign of lithium toxicity: no tremor, no ataxia.

ASSESSMENT: Mania in remission. Hypothyroidism is possible, perhaps caused by lithium. If TSH is raised, start levothyroxine 50 mcg daily.
`,
  },
  {
    name: "Abstract",
    text: `Mutations of the BRAF gene are found in about half of all melanomas. In mice, vemurafenib inhibited growth of A375 xenografts and lowered ERK phosphorylation, but resistance arose within weeks. Doxorubicin-induced cardiomyopathy was not seen. Combining vemurafenib with the MEK inhibitor trametinib prevented resistance in human melanoma cell lines and reduced metastases to the lung and liver.
`,
  },
];
